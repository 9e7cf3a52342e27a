mkdir t; echo a >t/$(printf "%0200d" 1); echo b >"t/ü漢"; touch -d @1000000000.5 t/*; tar --format=pax --numeric-owner --owner=70000 --group=80000 -cf x.tar -C t .; rm -r t
