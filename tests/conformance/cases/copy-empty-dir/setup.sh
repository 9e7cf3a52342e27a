mkdir -p e/f/g
