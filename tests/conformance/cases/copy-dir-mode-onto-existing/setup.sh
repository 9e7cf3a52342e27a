mkdir -m 755 d; echo f >d/f; mkdir -m 2750 d/sub
