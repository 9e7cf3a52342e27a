mkdir -p d/e; echo f >d/e/f; chmod 2750 d; chmod 711 d/e
