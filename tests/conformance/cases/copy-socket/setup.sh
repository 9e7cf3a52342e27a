mkdir p; python3 -c "import socket; socket.socket(socket.AF_UNIX).bind('p/s')"; chmod 750 p/s; echo x >p/f
