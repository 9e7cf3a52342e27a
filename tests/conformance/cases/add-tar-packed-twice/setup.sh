mkdir t; echo in >t/f; tar --mtime=@1000000001 --numeric-owner --owner=0 --group=0 --sort=name -cf t.tar t; xz -T1 -k t.tar; gzip -n t.tar.xz; xz -T1 t.tar; rm -r t
