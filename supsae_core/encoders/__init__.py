"""How text lies in a conditioning: the rows of every text encoder, and the sites of a diffusion model."""
