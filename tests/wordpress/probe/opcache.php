<?php
$state = opcache_get_status(false);
echo json_encode(['jit' => $state['jit']['on'], 'timestamps' => ini_get('opcache.validate_timestamps'), 'user' => posix_geteuid()]);
