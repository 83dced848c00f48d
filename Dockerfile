# The page on a CPU, weights inside; see docs/deploying.md.
#     docker build -t hff .
#     docker run --rm -p 127.0.0.1:7860:7860 hff
FROM python:3.13-slim-bookworm

# What OpenCV's wheel leaves to the system.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 1000 --create-home hff
WORKDIR /app

# What changes most seldom comes first, so that a new build begins where something is new.
COPY requirements.txt ./
COPY .ci/install.py .ci/
RUN CPU=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore python .ci/install.py
COPY weights weights
COPY app.py LICENSE ./
COPY hff hff
RUN python -m compileall -q hff app.py

# Nothing here belongs to this user: the page writes into the folder for temporary files alone.
USER 1000
ENV GRADIO_SERVER_NAME=0.0.0.0 GRADIO_SERVER_PORT=7860 PYTHONUNBUFFERED=1
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=120s CMD ["python", "-c", "import os, urllib.request as web; web.urlopen('http://127.0.0.1:' + os.environ['GRADIO_SERVER_PORT'] + '/robots.txt', timeout=4)"]
ENTRYPOINT ["python", "app.py"]
