mkdir -p d/k; touch d/x d/k/y
