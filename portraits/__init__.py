"""The embedded world: pictures with known truth and a tiny SD3-format model that draws them."""
