mkdir p; mknod p/null c 1 3; echo x >p/f
