mkdir t; echo a >t/a; tar --numeric-owner --owner=0 --group=0 --mtime=@1000000000 --sort=name -cf x.tar t; rm -r t
