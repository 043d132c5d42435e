"""The benchmark of edits on Portraits: what is asked, drawn, read, judged and told."""
