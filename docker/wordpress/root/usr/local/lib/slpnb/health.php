<?php
// Whether this container can serve: PHP (it runs), the database, the uploads. 200, or 503 with what is wrong.
// Does not load WordPress: a network that is not installed yet is no fault of the container.

header('Content-Type: text/plain');
header('Cache-Control: no-store');
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
require __DIR__ . '/database.php';

function database(): string
{
    try {
        slpnb_connect(2)->query('SELECT 1');
        return 'ok';
    } catch (mysqli_sql_exception $error) {
        return 'error ' . $error->getCode();
    }
}

function uploads(): string
{
    $file = @tempnam('/var/www/html/wp-content/uploads', '.health-');
    if ($file === false || dirname($file) !== '/var/www/html/wp-content/uploads') {
        $file && @unlink($file);
        return 'not writable';
    }
    $written = @file_put_contents($file, 'ok') === 2;
    return @unlink($file) && $written ? 'ok' : 'not writable';
}

$seen = ['php' => 'ok', 'database' => database(), 'uploads' => uploads()];
http_response_code(array_unique($seen) === ['php' => 'ok'] ? 200 : 503);
foreach ($seen as $what => $state) {
    echo "$what: $state\n";
}
