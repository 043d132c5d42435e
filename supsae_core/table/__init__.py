"""What can be said: categories of concepts, their phrases, and prompts drawn from them."""
