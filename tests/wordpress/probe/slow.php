<?php
// Says in the uploads that it has begun, and answers when the file is taken away.
$began = '/var/www/html/wp-content/uploads/began';
touch($began);
for ($end = microtime(true) + 20; file_exists($began) && microtime(true) < $end; clearstatcache()) {
    usleep(20000);
}
echo 'finished';
