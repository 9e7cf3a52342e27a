head -c 10240 /dev/zero >x.tar
