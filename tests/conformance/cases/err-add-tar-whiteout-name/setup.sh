mkdir t; touch t/.wh.passwd t/normal; tar --numeric-owner --owner=0 --group=0 --mtime=@1000000000 -cf x.tar -C t .; rm -r t
