"""What a negative prompt does to an edit that asks for what it forbids: ``python benchmarks/negative_prompt.py``; it
writes ``benchmarks/results/negative_prompt.json``. Portraits, in a real ComfyUI, guidance 3.
"""

import hosted
import writing

SCRIPT = """
import json, sys
import torch
import comfy.sd
from supsae.evaluation.intervals import share
from supsae.hosts.comfyui import folders, sampling
from supsae.hosts.comfyui.mixing import mix_conditioning
from supsae.hosts.comfyui.portraits_clip import portraits_clip
from supsae.portraits.reader import load_reader
from supsae.supsae_core.dictionary.file import load_dictionary

seeds, how = int(sys.argv[1]), sampling.SamplerSettings(16, 3.0)
torch.inference_mode().__enter__()
torch.set_num_threads(1)
weights = folders.WEIGHTS
learnt, reader = load_dictionary(weights / "supsae" / "portraits.safetensors"), load_reader()
clip = portraits_clip()
model = comfy.sd.load_diffusion_model(str(weights / "diffusion_models" / "supsae_portraits_mmdit.safetensors"))
vae = comfy.sd.VAE(sd=comfy.utils.load_torch_file(str(weights / "vae" / "supsae_portraits_vae.safetensors")))
encode = lambda prompt: clip.encode_from_tokens_scheduled(clip.tokenize(prompt))
plain = encode("a portrait of a person with blond hair, green eyes, no hat, smiling, sandy beach")
ASKED = {"hair": ("red", "red hair"), "hat": ("crown", "golden crown"), "background": ("forest", "green forest"),
         "eyes": ("blue", "blue eyes")}
found = {"forbids it": [], "what was asked for taken out": [], "never said it": []}
for category, (concept, words) in ASKED.items():
    text, forbids = json.dumps({"version": 1, "mix": {category: {"say": concept}}}), encode(f"ugly, {words}")
    made = mix_conditioning(plain, learnt, text, negative=forbids)
    for seed in range(seeds):
        noise = sampling.noise_of(sampling.empty_latent(128, 128), seed)
        for which, negative in zip(found, (forbids, made.negative, encode("ugly")), strict=True):
            latents = sampling.sample(model, made.output, negative, noise, how, seed)
            seen = reader.read(vae.decode(latents)[..., :3].movedim(-1, 1))[0]
            found[which].append(seen[category] == concept)
print(json.dumps({"steps": how.steps, "success": {which: share(some).json() for which, some in found.items()}}))
"""


def main() -> None:
    """Parse the command line, measure, write and print."""
    parser = writing.parser(__file__, __doc__)
    parser.add_argument("--seeds", type=int, default=12, help="of each of four swaps")
    args = parser.parse_args()
    writing.write(hosted.run(SCRIPT, args.seeds), args.out)


if __name__ == "__main__":
    main()
