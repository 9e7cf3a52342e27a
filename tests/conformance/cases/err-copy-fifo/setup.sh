mkdir p; mkfifo -m 640 p/fifo; echo x >p/f
