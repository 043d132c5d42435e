"""The edit operator of an encoder, learnt from prompts and their rewrites (docs/method.md, 20)."""
