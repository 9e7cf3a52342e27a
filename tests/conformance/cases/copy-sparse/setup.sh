truncate -s 2000000 s; printf end >>s
