"""Train `nn.LSTM` or `nn.GRU` and a linear layer with a plain PyTorch training loop and Adam.

The batches are gathered by index. The optional job entry `steady_epochs` is the number of epochs
to time after the first fit.
"""

import time

import torch
import torch._dynamo  # imported late by the optimizer; exclude it from the time
from _job import print_result, read_job
from torch import nn


class Net(nn.Module):
    def __init__(self, cell, units):
        super().__init__()
        layer = {"lstm": nn.LSTM, "gru": nn.GRU}[cell]
        self.rnn = layer(1, units[0], num_layers=len(units), batch_first=True)
        self.head = nn.Linear(units[-1], 1)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


def main():
    job = read_job()
    length = job["window_length"]
    series = torch.tensor(job["series"], dtype=torch.float32)
    X = series.unfold(0, length, 1)[:-1].unsqueeze(-1).contiguous()
    y = series[length:].unsqueeze(-1)

    start = time.perf_counter()
    net = Net(job["cell"], job["units"])
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, eps=1e-7)
    loss_function = nn.MSELoss()

    def train_epoch():
        total = 0.0
        for rows in torch.randperm(len(X)).split(job["batch_size"]):
            optimizer.zero_grad()
            loss = loss_function(net(X[rows]), y[rows])
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        return total / len(X)

    for _ in range(job["epochs"]):
        train_epoch()
    fit_s = time.perf_counter() - start

    epochs_s = []
    for _ in range(job.get("steady_epochs", 0)):
        start = time.perf_counter()
        train_epoch()
        epochs_s.append(time.perf_counter() - start)
    epoch_s = sum(epochs_s) / len(epochs_s) if epochs_s else None
    print_result("torch", fit_s=fit_s, epoch_s=epoch_s)


if __name__ == "__main__":
    main()
