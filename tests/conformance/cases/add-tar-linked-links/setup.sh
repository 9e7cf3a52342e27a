mkdir t; echo in >t/f; ln -s f t/a; ln t/a t/b; mkfifo t/p; ln t/p t/q; tar --mtime=@1000000001 --numeric-owner --owner=7 --group=8 --sort=name -cf t.tar t; rm -r t
