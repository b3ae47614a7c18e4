"""How cost grows: one network in many sizes, or on a target with many settings, and its law."""
