python3 -c "
import tarfile,io
t=tarfile.open('x.tar','w')
for n in ('../../up',):
  i=tarfile.TarInfo(n); i.size=2; i.mtime=1000000000; t.addfile(i,io.BytesIO(b'x\n'))
"
