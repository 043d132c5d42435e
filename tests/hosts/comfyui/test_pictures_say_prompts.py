"""A picture that ComfyUI saved says the prompt that it was made from, behind our nodes too, for ``supsae search``."""

from api_workflows import PROMPT, editing, loading

from supsae.supsae_core.png_text import read_texts
from supsae.supsae_core.workflow_prompt import prompt_of


def test_the_positive_prompt_of_a_saved_picture_is_read(comfy_server):
    drawn = {name: node for name, node in loading("", drawn=True).items() if name not in ("load", "report")}
    prompt = editing() | drawn
    prompt["negative"] = {"class_type": "CLIPTextEncode", "inputs": {"clip": ["clip", 0], "text": "a hat"}}
    prompt["sampler"]["inputs"] |= {"positive": ["apply", 0], "negative": ["negative", 0]}
    saved = {"images": ["decode", 0], "filename_prefix": "said"}
    prompt["picture"] = {"class_type": "SaveImage", "inputs": saved}
    (image,) = comfy_server.run(prompt)["picture"]["images"]
    texts = read_texts(comfy_server.base / "output" / image["subfolder"] / image["filename"])
    assert prompt_of(texts) == PROMPT
