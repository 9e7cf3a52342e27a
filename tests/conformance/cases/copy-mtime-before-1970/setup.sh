echo x >m; touch -d 1960-01-01T00:00:00Z m
