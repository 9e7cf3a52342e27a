mkdir -p a/b; chmod 711 a; chmod 1770 a/b
