<?php
// A connection with the environment's database settings, without WordPress.

function slpnb_connect(int $seconds): mysqli
{
    [$host, $port] = explode(':', getenv('WORDPRESS_DB_HOST') . ':3306');
    $database = mysqli_init();
    $database->options(MYSQLI_OPT_CONNECT_TIMEOUT, $seconds);
    $database->options(MYSQLI_OPT_READ_TIMEOUT, $seconds);
    @$database->real_connect( // the exception says it; a warning would say it again
        $host,
        getenv('WORDPRESS_DB_USER'),
        getenv('WORDPRESS_DB_PASSWORD'),
        getenv('WORDPRESS_DB_NAME'),
        (int) $port,
        null,
        getenv('WORDPRESS_DB_TLS') === 'true' ? MYSQLI_CLIENT_SSL : 0
    );
    return $database;
}
