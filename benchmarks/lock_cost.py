"""What the lock costs in a real ComfyUI on Portraits: ``python benchmarks/lock_cost.py``; writes
``benchmarks/results/lock_cost.json``.

Needs a ComfyUI checkout at $COMFYUI_PATH (else ~/comfy/ComfyUI) with its interpreter in .venv. Every run is sampled
with and without the lock in turn, so that a busy machine slows both.
"""

import hosted
import writing

SCRIPT = """
import json, statistics, sys, time
import torch
import comfy.sd
from supsae.hosts.comfyui import conditionings, folders, locking, messages, sampling
from supsae.hosts.comfyui.portraits_clip import portraits_clip
from supsae.hosts.comfyui.sampling import SamplerSettings
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.editing.edits import Swap
from supsae.supsae_core.lock import LockConfig

rounds, how = int(sys.argv[1]), SamplerSettings(16, 3.0)
torch.inference_mode().__enter__()
torch.set_num_threads(1)
weights = folders.WEIGHTS
learnt = load_dictionary(weights / "supsae" / "portraits.safetensors")
clip = portraits_clip()
model = comfy.sd.load_diffusion_model(str(weights / "diffusion_models" / "supsae_portraits_mmdit.safetensors"))
encode = lambda prompt: clip.encode_from_tokens_scheduled(clip.tokenize(prompt))
plain, empty = encode("a portrait of a person with blond hair, green eyes, smiling, sandy beach"), encode("")
noise = sampling.noise_of(sampling.empty_latent(128, 128), 3)

def seconds(model, strength):
    positive = conditionings.edit(plain, learnt, [Swap("hair: red", strength)])[0]
    began = time.process_time()
    sampling.sample(model, positive, empty, noise, how, 3)
    return time.process_time() - began

seconds(model, 1.0)
times = {"without": [], "first run": [], "known reference": []}
for index in range(rounds):
    locked = locking.Lock(LockConfig(), progress=messages.progress).install(model)
    times["without"].append(seconds(model, 1.0))
    times["first run"].append(seconds(locked, 1.0))
    times["known reference"].append(seconds(locked, 0.9))
middle = {name: statistics.median(some) for name, some in times.items()}
print(json.dumps({
    "steps": how.steps, "rounds": rounds, "seconds": middle,
    "first run / without": middle["first run"] / middle["without"],
    "known reference / without": middle["known reference"] / middle["without"],
}))
"""


def main() -> None:
    """Parse the command line, measure, write and print."""
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--rounds", type=int, default=15)
    args = parser.parse_args()
    writing.write(hosted.run(SCRIPT, args.rounds), args.out)


if __name__ == "__main__":
    main()
