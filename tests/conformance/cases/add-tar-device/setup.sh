mkdir t; mknod t/n c 1 3; mkfifo t/p; touch -d @1000000000 t/n t/p; tar --numeric-owner -cf x.tar -C t .; rm -r t
