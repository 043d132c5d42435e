"""One of two people changed alone: by the words that speak of them, inside a mask, and with the Lock behind either.
``python benchmarks/one_of_two.py``; writes ``benchmarks/results/one_of_two.json``.

Portraits' pictures of two people, in a real ComfyUI; hair of the one or the other is swapped for each other colour.
"""

import hosted
import writing

SCRIPT = """
import json, sys
import torch
import comfy.sd
from supsae.evaluation.intervals import share
from supsae.hosts.comfyui import folders, sampling
from supsae.hosts.comfyui.locking import Lock
from supsae.hosts.comfyui.mixing import mix_conditioning
from supsae.hosts.comfyui.portraits_clip import portraits_clip
from supsae.portraits.reader import SIDES, load_reader, place, read_people
from supsae.supsae_core.dictionary.file import load_dictionary
from supsae.supsae_core.lock import LockConfig

seeds, how = int(sys.argv[1]), sampling.SamplerSettings(16, 3.0)
torch.inference_mode().__enter__()
torch.set_num_threads(1)
weights = folders.WEIGHTS
learnt, reader = load_dictionary(weights / "supsae" / "portraits.safetensors"), load_reader()
clip = portraits_clip()
model = comfy.sd.load_diffusion_model(str(weights / "diffusion_models" / "supsae_portraits_mmdit.safetensors"))
vae = comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(weights / "vae" / "supsae_portraits_vae.safetensors")))
encode = lambda prompt: clip.encode_from_tokens_scheduled(clip.tokenize(prompt))
PROMPTS = (
    "two people, on the left a person with blond hair, green eyes, smiling, on the right a person with black hair, "
    "brown eyes, sad, sandy beach",
    "two friends, the left one has black hair, a top hat, the right one has blond hair, a woolly beanie, green forest",
)
empty, cases, found = encode(""), [], {}
for prompt in PROMPTS:
    for side, name in enumerate(SIDES):
        for colour in ("red", "blue"):
            cases += [(prompt, side, name, colour, seed) for seed in range(seeds)]


def drawn(positive, seed, on=model):
    noise = sampling.noise_of(sampling.empty_latent(256, 128), seed)
    latents = sampling.sample(on, positive, empty, noise, how, seed)
    return latents


def read(latents):
    return read_people(reader.read, vae.decode(latents)[..., :3].movedim(-1, 1))[0]


def judge(method, after):
    own = place(name, "hair")
    kept = [key for key in before if key != own]
    one = (after[own] == colour, all(after[key] == before[key] for key in kept),
           all(after[key] == before[key] for key in kept if not key.startswith(name)))
    found.setdefault(method, []).append(one)


for number, (prompt, side, name, colour, seed) in enumerate(cases):
    plain = encode(prompt)
    before = read(drawn(plain, seed))
    mask = torch.zeros(1, 16, 32)
    mask[..., 16 * side : 16 * side + 16] = 1
    row = {"say": colour}
    for method, own in (("mention", {**row, "mention": side + 1}), ("mask", {**row, "inside": True})):
        text = json.dumps({"version": 1, "mix": {"hair": own}})
        positive = mix_conditioning(plain, learnt, text, mask=mask).output
        judge(method, read(drawn(positive, seed)))
        lock = Lock(LockConfig())
        judge(f"{method}, Lock", read(lock.result(drawn(positive, seed, lock.install(model))).samples))
    print(number + 1, "of", len(cases), file=sys.stderr, flush=True)
names = ("hair read as asked, on that side", "all else kept, on both sides", "the other side kept")
made = {}
for method, some in found.items():
    made[method] = {key: share([one[i] for one in some]).json() for i, key in enumerate(names)}
print(json.dumps({"steps": how.steps, "cases": len(cases), "methods": made}))
"""


def main() -> None:
    """Parse the command line, measure, write and print."""
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--seeds", type=int, default=4, help="of each of eight swaps")
    args = parser.parse_args()
    writing.write(hosted.run(SCRIPT, args.seeds), args.out)


if __name__ == "__main__":
    main()
