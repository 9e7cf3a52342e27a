mkdir d; touch d/x d/y
