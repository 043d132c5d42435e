"""What a dictionary is worth; nobody needs it to edit."""
