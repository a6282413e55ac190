"""The journal as proof: asked whether it is what it was, by its owner and by outsiders."""
