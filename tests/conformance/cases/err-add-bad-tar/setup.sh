mkdir t; yes | head -c 30000 >t/f; tar --mtime=@1000000000 -cf y t; head -c 8000 y >x.tar; rm -r y t
