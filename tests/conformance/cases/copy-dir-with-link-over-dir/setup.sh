mkdir d; ln -s elsewhere d/l
