mkdir -p d/k; echo f >d/k/f
