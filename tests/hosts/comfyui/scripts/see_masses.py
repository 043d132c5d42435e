"""The shares of attention, against a softmax by hand."""

import torch
from comfy.ldm.modules.attention import attention_pytorch, attention_sub_quad
from script_parts import tell

from supsae.hosts.comfyui import attention

seen = {}
generator = torch.Generator().manual_seed(0)
text, image, heads, wide = 5, 7, 3, 8
q, k = (torch.randn(2, text + image, heads * wide, generator=generator) for _ in range(2))


def split(t):
    return t.unflatten(-1, (heads, wide)).transpose(1, 2)


shares = (split(q) @ split(k).transpose(2, 3) / wide**0.5).softmax(-1).mean(1)[:, text:]  # (2, image, all)
groups = [[0], [1, 3], [2, 4]]
direct = torch.stack([shares[..., some].sum(-1) for some in groups], -1)
for name, function in (("pytorch", attention_pytorch), ("sub quadratic", attention_sub_quad)):
    found = attention.masses(function, q, k, heads, groups, text)
    seen[name] = [list(found.shape), float((found - direct).abs().max())]
many = [[row % text] for row in range(20)]  # more groups than a head is wide
found = attention.masses(attention_pytorch, q, k, heads, many, text)
seen["many"] = float((found - shares[..., [some[0] for some in many]]).abs().max())
seen["none"] = list(attention.masses(attention_pytorch, q, k, heads, [], text).shape)
half = attention.masses(attention_pytorch, q.half(), k.half(), heads, groups, text)
seen["half"] = [str(half.dtype), float((half - direct).abs().max())]
tell(seen)
