"""The shares of attention, against a softmax by hand."""

import torch
from comfy.ldm.modules.attention import attention_pytorch, attention_sub_quad
from script_parts import below, expect

from supsae.hosts.comfyui import attention

generator = torch.Generator().manual_seed(0)
text, image, heads, wide = 5, 7, 3, 8
q, k = (torch.randn(2, text + image, heads * wide, generator=generator) for _ in range(2))


def split(t):
    return t.unflatten(-1, (heads, wide)).transpose(1, 2)


shares = (split(q) @ split(k).transpose(2, 3) / wide**0.5).softmax(-1).mean(1)[:, text:]  # (2, image, all)
groups = [[0], [1, 3], [2, 4]]
direct = torch.stack([shares[..., some].sum(-1) for some in groups], -1)
for function in (attention_pytorch, attention_sub_quad):
    found = attention.masses(function, q, k, heads, groups, text)
    below(function.__name__, float((found - direct).abs().max()), 1e-5)
many = [[row % text] for row in range(20)]  # more groups than a head is wide
found = attention.masses(attention_pytorch, q, k, heads, many, text)
below("many groups", float((found - shares[..., [some[0] for some in many]]).abs().max()), 1e-5)
expect("none", list(attention.masses(attention_pytorch, q, k, heads, [], text).shape), [2, 7, 0])
half = attention.masses(attention_pytorch, q.half(), k.half(), heads, groups, text)
expect("precision of half", half.dtype, torch.float32)
below("half", float((half - direct).abs().max()), 2e-3)
