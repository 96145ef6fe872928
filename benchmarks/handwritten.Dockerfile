# What a team writes that has no tool for it: one file an image, one step after the other. The secrets are what a site
# says of its package indexes; they may be missing.
FROM docker.io/library/%{distro}
RUN --mount=type=secret,id=apt,target=/etc/apt/apt.conf.d/99site \
    apt-get update && \
    apt-get install --yes --no-install-recommends \
      bzip2 \
      ca-certificates \
      %{fuse} \
      g++ \
      gcc \
      git \
      libc6-dev \
      make \
      openssh-client \
      python3-venv \
      wget \
      zlib1g && \
    rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --shell /bin/bash --uid 10001 dockeruser
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca \
    if [ -f /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi && \
    python3 -m venv /opt/python && \
    /opt/python/bin/pip install --no-cache-dir %{wheels}
ENV PATH=/opt/python/bin:$PATH
USER dockeruser
WORKDIR /home/dockeruser
