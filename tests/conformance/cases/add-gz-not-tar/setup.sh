echo plain | gzip -n >x.gz
