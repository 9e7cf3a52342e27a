mkdir -p d/sub; echo f >d/f; chmod 2750 d; chmod 711 d/sub
