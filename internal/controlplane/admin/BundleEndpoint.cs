using Gateway.Bundle;
using Gateway.ControlPlane.Apply;
using Gateway.ControlPlane.Bundles;
using Microsoft.AspNetCore.Http;

namespace Gateway.ControlPlane.Admin;

/// <summary><c>POST /admin/bundle</c>: a signed bundle, verified and taken through the rollout <c>default</c>.</summary>
internal sealed class BundleEndpoint(BundleIntake intake)
{
    public async Task HandleAsync(HttpContext context, ChangeOrigin origin)
    {
        // One byte more than is accepted, so that the intake refuses, counts and audits it as any other.
        using RequestBody? body = await RequestBody.ReadAsync(context.Request, BundleFile.MaxBytes + 1, context.RequestAborted);
        BundleOutcome outcome = await intake.TakeAsync(body?.Bytes ?? new byte[BundleFile.MaxBytes + 1], origin, context.RequestAborted);
        if (outcome.Refusal is { } refusal)
        {
            // The rest of the body is not wanted.
            if (body is null) context.Response.Headers.Connection = "close";
            int status = refusal.Code == BundleRefusalCodes.TooLarge ? 413 : 400;
            await AdminJson.ProblemAsync(context, status, refusal.Code, status == 413 ? "Content Too Large" : "Bundle Refused", refusal.Message);
            return;
        }
        await RolloutEndpoints.AnswerAsync(context, outcome.Result!, outcome.Result!.Outcome == ApplyOutcome.RollingOut ? outcome.Rollout : null);
    }
}
