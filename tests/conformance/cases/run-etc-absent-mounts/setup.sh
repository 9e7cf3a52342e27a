cp /bin/busybox .
chmod 755 busybox
echo hush > ../s
