"""What build-aux/reference is made of: comments (what the sources say of each function), model (names and types), types (the
editor's definitions), pages (the reference)."""
