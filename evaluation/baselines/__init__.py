"""Methods that an artist or a researcher could use instead; each at its best fair setting.

Those that edit a conditioning share one signature: ``fit(capture, host, *, progress=None) -> Baseline``, and
``baseline.edit(cond, pooled, old, new, strength=1.0) -> (cond, pooled)`` with the concepts written before and after, in
order of writing. They cannot read a conditioning, so they are told what it says. Those that need
the prompt's words too, to encode more or to know where a phrase stands, have ``baseline.edit(row, old, new,
strength=1.0)`` with the prompt and its encoding as one row of a capture. Strength 0 returns the very same
tensors; a conditioning of another length than was fitted is refused. ``table.py`` lists them; ``low_rank.py`` stands
apart, since it changes the model instead.
"""
