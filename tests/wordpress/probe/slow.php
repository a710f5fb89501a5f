<?php
// Says in the uploads that it has begun, and which worker is busy with it, and answers when the file is taken away.
$began = '/var/www/html/wp-content/uploads/began';
touch($began);
touch(dirname($began) . '/busy-' . getmypid());
for ($end = microtime(true) + 20; file_exists($began) && microtime(true) < $end; clearstatcache()) {
    usleep(20000);
}
echo 'finished';
