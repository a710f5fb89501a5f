ARG BASE
FROM ${BASE}
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends mariadb-server \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/* \
    && install -d -o mysql /run/mysqld
CMD ["mariadbd", "--user=mysql", "--skip-name-resolve", "--bind-address=0.0.0.0"]
