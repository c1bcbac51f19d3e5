"""Videos: frames one at a time, which of them are looked at, what they say together, what lies between them."""
