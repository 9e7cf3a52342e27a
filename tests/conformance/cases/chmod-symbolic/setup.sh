mkdir -m 700 d; echo f >d/f; chmod 600 d/f; echo x >d/x; chmod 711 d/x
